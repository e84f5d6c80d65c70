-- expect: steps
while true do pcall(error, "again") end
