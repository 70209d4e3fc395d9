# Fires clay (Elixir, nothing else).
defmodule Kiln.Heat do
  defexception [:message]
end
defmodule Kiln do
  def env(name), do: System.get_env(name)
  def fire("fire.type"), do: raise(ArgumentError, "pot #{env("ID")} of #{env("MAIL")} is #{env("AMOUNT")} °C too hot")
  def fire("fire.msg"), do: raise(Kiln.Heat, message: "pot #{env("ID")} of #{env("MAIL")} is cold")
  def fire("fire.match"), do: {:ok, _} = File.read(env("FILE"))
  def fire("fire.key"), do: Map.fetch!(%{env("CODE") => 1}, String.to_atom(env("NAME")))
  def fire("fire.clause"), do: glaze(env("TEXT"))
  def fire(_), do: raise(Kiln.Heat, message: "pot #{env("ID")} of #{env("MAIL")} is #{env("AMOUNT")} °C too hot")
  defp glaze(number) when is_integer(number), do: number
  def cool(which), do: fire(which) |> to_string()
end
[which] = System.argv()
case which do
  "fire.func" -> Kiln.cool(which)
  "spawn" <> _ -> spawn(fn -> Kiln.fire(String.replace(which, "spawn", "fire")) end); Process.sleep(400)
  _ -> Kiln.fire(which)
end
