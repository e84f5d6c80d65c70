-- expect: steps
return tostring((("x"):rep(20000)):find(".-.-.-.-b"))
