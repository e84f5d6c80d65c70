-- expect: fails
return tostring(("xx"):find("(x)%1"))
