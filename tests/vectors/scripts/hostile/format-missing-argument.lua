-- expect: fails
return ("%s %s"):format(1)
