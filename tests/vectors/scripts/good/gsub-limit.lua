-- expect: returns xbaa 1
local s, n = ("abaa"):gsub("a", "x", 1)
return s .. " " .. n
