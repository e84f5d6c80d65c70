-- expect: steps
return tostring((("x"):rep(200000)):find(".*b"))
