-- expect: returns -7
return 3 - 10
