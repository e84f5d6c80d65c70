-- expect: returns 3 4 cd nil
local a, b, c = ("abcdef"):find("(cd)")
a, b, c = ("abcd"):find("(cd)")
return a .. " " .. b .. " " .. c .. " " .. tostring(("abc"):find("d"))
