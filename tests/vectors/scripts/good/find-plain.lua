-- expect: returns 2 3
local a, b = ("a.*b"):find(".*", 1, true)
return a .. " " .. b
