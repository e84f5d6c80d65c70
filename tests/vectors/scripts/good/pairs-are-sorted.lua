-- expect: returns 1,2,10,a,aa,b,false,true
local t, keys = {b = 1, aa = 1, a = 1, [10] = 1, [2] = 1, [1] = 1, [true] = 1, [false] = 1}, {}
for k in pairs(t) do keys[#keys + 1] = tostring(k) end
return table.concat(keys, ",")
