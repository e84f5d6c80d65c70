-- expect: returns bc|c||abc|ab|c
local s = "abc"
return s:sub(2) .. "|" .. s:sub(-1) .. "|" .. s:sub(4) .. "|" .. s:sub(-10, 10) .. "|" .. s:sub(1, -2) .. "|" .. s:sub(3, 3)
