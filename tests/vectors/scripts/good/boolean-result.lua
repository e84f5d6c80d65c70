-- expect: returns true
return 1 < 2
