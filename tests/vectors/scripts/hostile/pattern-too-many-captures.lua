-- expect: fails
return tostring(("x"):find(("()"):rep(40)))
