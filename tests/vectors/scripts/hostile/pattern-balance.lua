-- expect: fails
return tostring(("((x"):find("%b()"))
