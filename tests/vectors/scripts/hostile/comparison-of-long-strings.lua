-- expect: time
local a, b = ("x"):rep(1 << 20) .. "a", ("x"):rep(1 << 20) .. "b"
local n = 0
while n < 100000000 do n = n + 1 if a == b then return "x" end end
return "ok"
