-- expect: returns 10 255 -7 nil 35 nil 5 -9223372036854775808 nil
local t = {}
for i, v in ipairs({"10", "0xff", "-7", "x"}) do t[i] = tostring(tonumber(v)) end
t[5] = tostring(tonumber("z", 36)) t[6] = tostring(tonumber("9", 8)) t[7] = tostring(tonumber(" 5\n"))
t[8] = tostring(tonumber("-9223372036854775808")) t[9] = tostring(tonumber(""))
return table.concat(t, " ")
