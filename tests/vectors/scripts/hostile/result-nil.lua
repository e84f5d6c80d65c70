-- expect: fails
return nil
