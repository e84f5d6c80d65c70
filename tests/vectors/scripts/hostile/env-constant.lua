-- expect: returns 1
local _ENV <const> = {X = 1}
return X
