-- expect: fails
return ("%g"):format(1)
