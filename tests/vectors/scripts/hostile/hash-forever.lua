-- expect: steps
local s = ("x"):rep(100000)
while true do hash.keccak256(s) end
