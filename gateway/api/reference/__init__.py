"""What the API description and its page at ``/docs`` say beside the routes, and the page's own files."""
