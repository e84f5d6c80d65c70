-- expect: returns 3 5
local a, b = ("abcde"):match("ab()cd()")
return a .. " " .. b
