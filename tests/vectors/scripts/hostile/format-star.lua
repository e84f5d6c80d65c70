-- expect: fails
return ("%*d"):format(10, 1)
