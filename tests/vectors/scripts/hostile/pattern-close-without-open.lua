-- expect: fails
return tostring(("x"):find("x)"))
