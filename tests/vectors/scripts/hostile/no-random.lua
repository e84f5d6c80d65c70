-- expect: fails
return tostring(math.random())
