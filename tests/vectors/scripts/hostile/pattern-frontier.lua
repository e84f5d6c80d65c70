-- expect: fails
return tostring(("x"):find("%f[a]"))
