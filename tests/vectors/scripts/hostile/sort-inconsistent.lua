-- expect: returns done
local t = {}
for i = 1, 500 do t[i] = i * 7919 % 503 end
table.sort(t, function() return true end)
table.sort(t, function(a, b) return (a * b) % 3 == 1 end)
return "done"
