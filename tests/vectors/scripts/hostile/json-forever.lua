-- expect: steps
local s = "[" .. ("1,"):rep(10000) .. "1]"
while true do json.decode(s) end
