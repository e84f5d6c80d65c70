-- expect: fails
return (""):rep(1 << 40, ",")
