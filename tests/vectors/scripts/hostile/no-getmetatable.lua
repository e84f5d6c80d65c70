-- expect: fails
return getmetatable("").__index
