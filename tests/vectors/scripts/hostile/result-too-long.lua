-- expect: limit
return ("x"):rep(20000)
