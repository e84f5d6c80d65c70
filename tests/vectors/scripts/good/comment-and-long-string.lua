-- expect: returns x
--[==[ a comment ]==]
return [[
x]]
