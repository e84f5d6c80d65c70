-- expect: fails
return tostring(("x"):find("[a-"))
