-- expect: time
local t, m = {}, 65535 * 32767 * 16383
for i = 1, 100000 do t[i * m] = 1 end
