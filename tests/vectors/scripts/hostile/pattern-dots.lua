-- expect: steps
return tostring((("x"):rep(50000)):match("(.*)(.*)(.*)(.*)[^x]"))
