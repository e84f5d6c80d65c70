-- expect: fails
return ("%p"):format({})
