-- expect: fails
return ("x"):rep(1 << 40)
