# Lights a lamp (Elixir, nothing else).
defmodule Lighthouse.LampError do
  defexception [:message]
end

defmodule Lighthouse.Lamp do
  def env(name), do: System.get_env(name)

  def lit("lit.type"), do: raise(ArgumentError, "lamp #{env("ID")} is cold since #{env("WHEN")}")
  def lit("lit.msg"), do: raise(Lighthouse.LampError, "lamp #{env("ID")} was stolen by #{env("MAIL")}")
  def lit(_), do: raise(Lighthouse.LampError, "lamp #{env("ID")} is cold since #{env("WHEN")}")
  def lamp(_), do: raise(Lighthouse.LampError, "lamp #{env("ID")} is cold since #{env("WHEN")}")

  def turn("turn.type"), do: String.to_integer(env("TEXT"))
  def turn("turn.msg"), do: Map.fetch!(%{a: 1}, env("NAME"))
  def turn("turn"), do: Map.get(%{blue: env("NAME")}, :red).colour
  def turn("turn.func"), do: GenServer.call(:keeper, :wake)
end

[which] = System.argv()

case which do
  "lit.func" -> Lighthouse.Lamp.lamp(which)
  "lit" <> _ -> Lighthouse.Lamp.lit(which)
  "task" <> rest -> Task.await(Task.async(fn -> Lighthouse.Lamp.lit("lit" <> rest) end))
  _ -> Lighthouse.Lamp.turn(which)
end
