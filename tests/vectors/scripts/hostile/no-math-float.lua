-- expect: fails
return tostring(math.sqrt(2))
