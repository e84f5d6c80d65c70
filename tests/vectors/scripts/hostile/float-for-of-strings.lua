-- expect: fails
local s = ""
for i = "1", 2 do s = s .. i end
return s
