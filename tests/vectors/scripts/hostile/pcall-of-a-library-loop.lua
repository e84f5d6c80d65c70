-- expect: steps
while true do pcall(string.rep, "x", 1000) end
