-- expect: returns 4 5 nil nil 5
local a = ("abcabc"):find("a", 2)
local b = ("abcabc"):find("", 5)
return a .. " " .. b .. " " .. tostring(("abc"):find("a", 10)) .. " " .. tostring(("abc"):find("", 5)) .. " " .. tostring(("abcabc"):find("b", -3))
