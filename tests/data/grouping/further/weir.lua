-- Holds water (Lua, nothing else).
local env = os.getenv
local Weir = {}
function Weir.open(which)
  if which == "open.msg" then error("weir " .. env("ID") .. " is locked by " .. env("MAIL")) end
  if which == "open.type" then return Weir.gate.height end
  if which == "open.arith" then return env("TEXT") + 1 end
  if which == "open.call" then return Weir.drain() end
  error("weir " .. env("ID") .. " is " .. env("AMOUNT") .. " cm too high")
end
function Weir.shut(which) local level = Weir.open(which) return level end
local which = arg[1]
local level = which == "open.func" and Weir.shut(which) or Weir.open(which)
print(level)
