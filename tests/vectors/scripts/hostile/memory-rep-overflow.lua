-- expect: fails
return ("xxxxxxxx"):rep(math.maxinteger)
