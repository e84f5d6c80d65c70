-- expect: returns ok
for i = 1, 100 do local s = ("%99d"):format(i) end
return "ok"
