-- expect: returns nil nil nil nil nil nil
local t = {}
for i, s in ipairs({"1.5", "1e3", "0x1p4", "inf", "nan", "9223372036854775808"}) do t[i] = tostring(tonumber(s)) end
return table.concat(t, " ")
