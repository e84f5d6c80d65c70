-- expect: returns -a-b- 3
local s, n = ("ab"):gsub("", "-")
return s .. " " .. n
