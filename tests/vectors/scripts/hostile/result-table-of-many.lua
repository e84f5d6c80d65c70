-- expect: fails
local t, m = {"a"}, 65535 * 32767
for i = 1, 3000 do t[-i * m] = "x" end
return t
