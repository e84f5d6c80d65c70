-- expect: limit
local s = "[" .. ("[],"):rep(16000) .. "1]"
local t = {}
while true do t[#t + 1] = json.decode(s) end
