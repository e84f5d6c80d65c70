-- expect: fails
local z = 0
return 1 % z
