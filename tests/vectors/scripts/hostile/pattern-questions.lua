-- expect: steps
local s = ("a"):rep(30)
return tostring(s:find(("a?"):rep(30) .. s .. "b"))
