-- expect: steps
while true do end
