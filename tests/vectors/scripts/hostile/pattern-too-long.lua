-- expect: fails
return tostring(("x"):find(("x"):rep(100000)))
